"""Directory (基础数据): the city's departments, regions, categories, request kinds, urgency levels and numbers."""
