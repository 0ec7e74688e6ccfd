"""The store (数据库): the engine, the tables and how they came to be."""
