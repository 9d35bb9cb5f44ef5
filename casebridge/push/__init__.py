"""The durable outbox at work: claims what is due and lets services/push_take_up do it."""
