"""Quality (质检): calls drawn by rule, graded on forms that are data, and the agent's right to object."""
