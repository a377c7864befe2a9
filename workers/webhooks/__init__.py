"""Everything said to the organizations' own webhooks: what is told, signed how, sent to which addresses."""
