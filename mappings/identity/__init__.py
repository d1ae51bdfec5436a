"""Who is who: from what each system says of a buyer to persons with ids that last. Frames in, frames out."""
