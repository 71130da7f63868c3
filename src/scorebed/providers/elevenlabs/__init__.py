"""The music services of ElevenLabs: from a video, and from text with a plan."""
