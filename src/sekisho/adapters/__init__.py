"""What stands behind the ports: stores, batching, secrets."""
