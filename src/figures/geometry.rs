//! Points and rectangles in points (1/72 inch), y downwards, and cutting shapes to a rectangle.
//!
//! Curves are cut here rather than by SVG clip paths: no ids that clash when two figures share a page, no clipping
//! masks for a journal's art department, and no coordinates of 1e30.

pub(super) type Point = (f64, f64);

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Rect {
    pub(super) fn right(&self) -> f64 {
        self.x + self.width
    }

    pub(super) fn bottom(&self) -> f64 {
        self.y + self.height
    }

    pub(super) fn grown(&self, by: f64) -> Self {
        Self { x: self.x - by, y: self.y - by, width: self.width + 2.0 * by, height: self.height + 2.0 * by }
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.x < other.right() && other.x < self.right() && self.y < other.bottom() && other.y < self.bottom()
    }

    /// Whether a segment has a point in the rectangle.
    pub(super) fn touches(&self, a: Point, b: Point) -> bool {
        cut_segment(self, a, b).is_some()
    }
}

/// The part of a segment inside a rectangle (Liang and Barsky 1984).
fn cut_segment(to: &Rect, a: Point, b: Point) -> Option<(Point, Point)> {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
    for (direction, distance) in [(-dx, a.0 - to.x), (dx, to.right() - a.0), (-dy, a.1 - to.y), (dy, to.bottom() - a.1)]
    {
        if direction == 0.0 {
            if distance < 0.0 {
                return None;
            }
        } else if direction < 0.0 {
            enter = enter.max(distance / direction);
        } else {
            leave = leave.min(distance / direction);
        }
    }
    let at = |t: f64| (a.0 + t * dx, a.1 + t * dy);
    (enter <= leave).then(|| (if enter > 0.0 { at(enter) } else { a }, if leave < 1.0 { at(leave) } else { b }))
}

/// The pieces of a line inside a rectangle, each with two points or more.
pub(super) fn cut_line(to: &Rect, line: &[Point]) -> Vec<Vec<Point>> {
    let mut pieces: Vec<Vec<Point>> = Vec::new();
    for pair in line.windows(2) {
        let Some((a, b)) = cut_segment(to, pair[0], pair[1]) else { continue };
        match pieces.last_mut() {
            Some(piece) if piece.last() == Some(&a) => piece.push(b),
            _ => pieces.push(vec![a, b]),
        }
    }
    pieces
}

/// The part of a polygon inside a rectangle (Sutherland and Hodgman 1974); empty where there is none.
pub(super) fn cut_polygon(to: &Rect, polygon: &[Point]) -> Vec<Point> {
    let (left, right, top, bottom) = (to.x, to.right(), to.y, to.bottom());
    let mut kept = polygon.to_vec();
    kept = cut_half_plane(&kept, |p| p.0 - left);
    kept = cut_half_plane(&kept, |p| right - p.0);
    kept = cut_half_plane(&kept, |p| p.1 - top);
    cut_half_plane(&kept, |p| bottom - p.1)
}

/// Keeps where `depth ≥ 0`; `depth` must be linear.
fn cut_half_plane(polygon: &[Point], depth: impl Fn(Point) -> f64) -> Vec<Point> {
    let mut kept = Vec::with_capacity(polygon.len() + 4);
    for (i, &b) in polygon.iter().enumerate() {
        let a = polygon[(i + polygon.len() - 1) % polygon.len()];
        let (depth_a, depth_b) = (depth(a), depth(b));
        if (depth_a < 0.0) != (depth_b < 0.0) {
            let t = depth_a / (depth_a - depth_b);
            kept.push((a.0 + t * (b.0 - a.0), a.1 + t * (b.1 - a.1)));
        }
        if depth_b >= 0.0 {
            kept.push(b);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UNIT: Rect = Rect { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };

    fn area(polygon: &[Point]) -> f64 {
        let next = |i: usize| polygon[(i + 1) % polygon.len()];
        (0..polygon.len()).map(|i| polygon[i].0 * next(i).1 - next(i).0 * polygon[i].1).sum::<f64>().abs() / 2.0
    }

    #[test]
    fn a_line_that_leaves_and_returns_becomes_two_pieces() {
        let pieces = cut_line(&UNIT, &[(0.0, 0.5), (0.4, 0.5), (0.4, 2.0), (0.6, 2.0), (0.6, 0.5), (1.0, 0.5)]);
        assert_eq!(pieces, [vec![(0.0, 0.5), (0.4, 0.5), (0.4, 1.0)], vec![(0.6, 1.0), (0.6, 0.5), (1.0, 0.5)]]);
    }

    #[test]
    fn a_diamond_around_the_square_is_cut_to_the_square_and_one_beside_it_to_nothing() {
        let diamond = |cx: f64| [(cx - 2.0, 0.5), (cx, -1.5), (cx + 2.0, 0.5), (cx, 2.5)];
        assert!((area(&cut_polygon(&UNIT, &diamond(0.5))) - 1.0).abs() < 1e-12);
        assert!(cut_polygon(&UNIT, &diamond(9.0)).is_empty());
    }

    proptest! {
        #[test]
        fn cut_shapes_stay_inside(points in prop::collection::vec((-1e6..1e6f64, -3.0..3.0f64), 3..12)) {
            let inside = |p: &Point| UNIT.grown(1e-6).touches(*p, *p);
            prop_assert!(cut_line(&UNIT, &points).iter().flatten().all(inside));
            prop_assert!(cut_polygon(&UNIT, &points).iter().all(inside));
        }

        #[test]
        fn a_segment_touches_exactly_if_a_fine_walk_along_it_meets_the_square(
            a in (-2.0..3.0f64, -2.0..3.0f64), b in (-2.0..3.0f64, -2.0..3.0f64),
        ) {
            let walk = |rect: Rect| (0..=2000).any(|i| {
                let t = f64::from(i) / 2000.0;
                let p = (a.0 + t * (b.0 - a.0), a.1 + t * (b.1 - a.1));
                rect.x <= p.0 && p.0 <= rect.right() && rect.y <= p.1 && p.1 <= rect.bottom()
            });
            // The walk steps by up to 0.004, so it may step over a corner that is cut more shortly than that.
            if walk(UNIT) {
                prop_assert!(UNIT.touches(a, b));
            } else if UNIT.touches(a, b) {
                prop_assert!(walk(UNIT.grown(0.004)));
            }
        }
    }
}
