//! Pixels as the input of a network.

/// x for each value of a pixel.
pub(crate) const INTENSITY: [f32; 256] = {
    let mut table = [0.0; 256];
    let mut pixel = 0;
    while pixel < 256 {
        table[pixel] = pixel as f32 / 255.0;
        pixel += 1;
    }
    table
};
