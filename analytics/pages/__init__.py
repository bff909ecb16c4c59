"""The pages that people look at: HTML on the same queries as the API."""
