"""Reports to share: one HTML file, notebooks, data frames and pictures."""
