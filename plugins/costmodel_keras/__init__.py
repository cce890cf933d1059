"""Networks of Keras: live models, `.keras` files and the JSON of `model.to_json()`."""
