"""The contract is public: see `keepstep.testing.tracker_contract`."""

from keepstep.testing.tracker_contract import LINK, TrackerContract, TrackerKit, draft

__all__ = ["LINK", "TrackerContract", "TrackerKit", "draft"]
