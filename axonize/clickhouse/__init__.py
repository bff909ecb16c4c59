"""ClickHouse: the client, its errors, and the schema with its migrator."""
