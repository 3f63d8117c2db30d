//! Dev only: scripted HTTP peer, fake clock, waiting without sleeping.
