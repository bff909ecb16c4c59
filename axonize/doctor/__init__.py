"""`manage.py doctor`: looks at everything the server stands on, and says how to mend what it finds."""
