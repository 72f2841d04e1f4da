"""What a candidate is worth: each verifier a frozen configuration with ``score``. Raw measures, uncalibrated."""
