"""The desk, through which people and programs work on issues: permission, department, and then the queue."""

from detector.dispatch.attachments import AttachmentStore, Upload
from detector.dispatch.desk import Desk

__all__ = ["AttachmentStore", "Desk", "Upload"]
