"""Login requests, their pushes, and their approval on another device."""

from __future__ import annotations

from .approvals import Approvals
from .login_requests import LoginRequests
from .request_pushes import RequestPushes

__all__ = ["Approvals", "LoginRequests", "RequestPushes"]
