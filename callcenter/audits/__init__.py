"""Reply audit (答复审核): what rules find in a unit's reply, and what an inspector decides."""
