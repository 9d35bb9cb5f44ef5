"""The durable outbox at work: claims what is due and lets services/push do it."""
