"""Changes of the limits and measures of orders (时限规则): proposed by one person, approved by another, in versions."""
