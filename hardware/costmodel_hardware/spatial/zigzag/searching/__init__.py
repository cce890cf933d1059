"""The best mappings by ZigZag's count: in the orders and memories that it tries, and in all."""
