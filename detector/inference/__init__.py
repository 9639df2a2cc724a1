"""Pictures to detections; weights by manifest. The only door to ultralytics and OpenVINO."""
