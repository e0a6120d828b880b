"""Job state change events, as EventBridge would deliver them."""
