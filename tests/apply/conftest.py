from support.clip_fixtures import clip, folder, make_clip

__all__ = ["clip", "folder", "make_clip"]
