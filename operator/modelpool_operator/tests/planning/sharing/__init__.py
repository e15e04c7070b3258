"""Tests of what each way of sharing asks of a pod."""
