"""Where a checkpoint is kept between attempts: one store a module, and the JSON that they keep."""
