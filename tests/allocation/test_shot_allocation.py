"""Allocations over scenes: against all there are."""
