"""The browser app and its API: sign-in, queue, review. The only room that speaks HTTP."""

from detector.review.app import create_app
from detector.review.house import House, open_house
from detector.review.masks import Masks
from detector.review.serving import run

__all__ = ["House", "Masks", "create_app", "open_house", "run"]
