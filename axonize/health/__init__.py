"""Health: the heartbeats that processes leave in files, the checks behind readiness, and who asks for both."""
