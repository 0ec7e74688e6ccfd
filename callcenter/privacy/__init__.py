"""Who a confidential order came from (保密诉求人): a store under a key of its own, and who may look, when and why."""
