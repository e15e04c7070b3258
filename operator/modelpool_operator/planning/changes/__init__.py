"""What has to change so that a pool has what it wants, and what of it has to wait: `plan` puts it together."""
