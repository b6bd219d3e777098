//! Plots as SVG, by hand: a line for each series over the seconds of a window.

use std::fmt::Write as _;

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 210.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;
/// Points of a line that are drawn; of more, the highest of each stretch, so that no peak is lost.
const POINTS_MAX: usize = 300;

/// A line.
pub(super) struct Series {
    pub name: &'static str,
    /// Seconds and value.
    pub points: Vec<(f64, f64)>,
}

/// A plot with at most three lines, and a limit that may be drawn across.
pub(super) struct Plot {
    pub title: &'static str,
    pub unit: &'static str,
    pub series: Vec<Series>,
    pub limit: Option<f64>,
}

impl Plot {
    /// A card with the plot and its legend. Nothing where there is nothing to draw.
    pub(super) fn card(&self) -> String {
        if self.series.iter().all(|series| series.points.len() < 2) {
            return String::new();
        }
        let last = |series: &Series| series.points.last().map_or(0.0, |(x, _)| *x);
        let x_max = self.series.iter().map(last).fold(1.0, f64::max);
        let highest =
            self.series.iter().flat_map(|series| &series.points).map(|(_, y)| *y).fold(0.0, f64::max);
        // A limit far above everything would press the lines flat.
        let limit = self.limit.filter(|limit| *limit <= 4.0 * highest);
        let top = match highest.max(limit.unwrap_or(0.0)) * 1.05 {
            0.0 => 1.0,
            top => top,
        };
        let step = step(top);
        let y_max = (top / step).ceil().max(1.0) * step;
        let x = |value: f64| LEFT + value / x_max * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| HEIGHT - BOTTOM - value / y_max * (HEIGHT - TOP - BOTTOM);
        let (title, unit) = (self.title, self.unit);
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}, {unit}, over the window\">"
        );
        let lines = (y_max / step).round() as u32;
        for line in 0..=lines {
            let value = f64::from(line) * step;
            let at = y(value);
            // Writing to a string cannot fail.
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                at + 4.0,
                short(value)
            );
        }
        svg.push_str(&seconds(x_max));
        if let Some(limit) = limit {
            let at = y(limit);
            let _ = write!(
                svg,
                "<line class=\"limit\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>",
                WIDTH - RIGHT
            );
        }
        for (series, class) in self.series.iter().zip(["a", "b", "c"]) {
            let points: Vec<String> = thinned(&series.points)
                .iter()
                .map(|(at, value)| format!("{:.1},{:.1}", x(*at), y(*value)))
                .collect();
            let _ = write!(svg, "<polyline class=\"trace {class}\" points=\"{}\"/>", points.join(" "));
        }
        svg.push_str("</svg>");
        format!(
            "<section class=\"card\"><h2>{title} <span class=\"dim\">{unit}</span></h2>{svg}{}</section>",
            self.legend(limit)
        )
    }

    fn legend(&self, limit: Option<f64>) -> String {
        let mut legend = String::from("<div class=\"legend\">");
        for (series, class) in self.series.iter().zip(["a", "b", "c"]) {
            let _ = write!(legend, "<span><i class=\"{class}\"></i>{}</span>", series.name);
        }
        if let Some(limit) = limit {
            let _ = write!(legend, "<span><i class=\"limit\"></i>threshold {}</span>", short(limit));
        }
        legend.push_str("</div>");
        legend
    }
}

/// Beginning, middle and end of the window, beneath the plot.
fn seconds(x_max: f64) -> String {
    let text = |(share, anchor): (f64, &str)| {
        let at = LEFT + share * (WIDTH - LEFT - RIGHT);
        let (bottom, value) = (HEIGHT - 6.0, short(share * x_max));
        format!("<text x=\"{at:.1}\" y=\"{bottom}\" text-anchor=\"{anchor}\">{value} s</text>")
    };
    [(0.0, "start"), (0.5, "middle"), (1.0, "end")].map(text).concat()
}

/// From one line of the grid to the next: 1, 2 or 5 times a power of ten, at most six of them.
fn step(highest: f64) -> f64 {
    let raw = (highest / 5.0).max(1e-6);
    let power = 10_f64.powf(raw.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= raw).unwrap_or(10.0);
    factor * power
}

/// A number in few characters.
pub(super) fn short(value: f64) -> String {
    let digits = |value: f64| {
        let text = format!("{value:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match value.abs() {
        large if large >= 1e6 => format!("{} M", digits(value / 1e6)),
        large if large >= 1e4 => format!("{} k", digits(value / 1e3)),
        _ => digits(value),
    }
}

fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let stretch = points.len().div_ceil(POINTS_MAX).max(1);
    let highest = |points: &[(f64, f64)]| points.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
    points.chunks(stretch).filter_map(highest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_have_round_numbers() {
        assert_eq!([0.9, 4.0, 23.0, 260.0].map(step), [0.2, 1.0, 5.0, 100.0]);
        assert_eq!(
            [0.0, 0.25, 9_999.0, 18_000.0, 2_500_000.0].map(short),
            ["0", "0.25", "9999", "18 k", "2.5 M"]
        );
    }

    #[test]
    fn no_peak_is_lost_in_a_long_window() {
        let points: Vec<(f64, f64)> =
            (0..3_600).map(|at| (f64::from(at), if at == 1_234 { 9.0 } else { 1.0 })).collect();
        let thinned = thinned(&points);
        assert!(thinned.len() <= POINTS_MAX && thinned.iter().any(|(_, value)| *value == 9.0));
    }

    #[test]
    fn a_plot_stays_within_its_frame() {
        let series =
            Series { name: "p99", points: (0..50).map(|at| (f64::from(at), f64::from(at * at))).collect() };
        let card = Plot { title: "Delay", unit: "ms", series: vec![series], limit: Some(1_000.0) }.card();
        let points = card.split("points=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a line");
        for point in points.split(' ') {
            let (x, y) = point.split_once(',').expect("a point");
            let (x, y): (f64, f64) = (x.parse().expect("x"), y.parse().expect("y"));
            assert!((LEFT..=WIDTH).contains(&x) && (TOP..=HEIGHT - BOTTOM).contains(&y), "{point}");
        }
        assert!(card.contains("threshold 1000"));
    }
}
