"""Live models that run: rates over example data, and costs while they are trained."""
