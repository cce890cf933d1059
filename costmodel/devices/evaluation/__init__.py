"""How a device evaluates a workload: groups, placement, schedule and costs."""
