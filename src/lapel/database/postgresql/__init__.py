"""PostgreSQL: a pool of asyncpg connections."""
