"""The citizen's door (进度查询): the public state of an order, and what a citizen may do with it."""
