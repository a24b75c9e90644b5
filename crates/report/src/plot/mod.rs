//! The one plot writer: layers on two axes, drawn as SVG without scripts.
//!
//! A [`Plot`] is data; [`Plot::to_inline`] gives the picture for a page that carries [`STYLE`] once. Colours
//! come from the style sheet, which follows the reader's light or dark preference. Each picture has a title and
//! a description for readers who cannot see it. Whatever the data, the picture is well formed and holds no value
//! that is not finite.

mod axis;
mod series;
mod svg;

pub(crate) use axis::Axis;
use axis::Scale;
use series::Layer;
pub(crate) use series::{Colour, Mark};
pub(crate) use svg::STYLE;

/// A picture of data on two axes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plot {
    /// What is shown, in a few words.
    pub(crate) title: String,
    /// What to look for, or the scope; may be empty.
    pub(crate) subtitle: String,
    /// What the picture says, for readers who cannot see it; may be empty.
    pub(crate) description: String,
    /// Left to right.
    pub(crate) x: Axis,
    /// Bottom to top.
    pub(crate) y: Axis,
    /// Drawn in order, the last on top.
    pub(crate) layers: Vec<Layer>,
    /// Width and height in user units (pixels at natural size).
    pub(crate) size: (u32, u32),
}

impl Plot {
    /// An empty picture, 720 by 300.
    pub(crate) fn new(title: impl Into<String>, x: Axis, y: Axis) -> Self {
        Self {
            title: title.into(),
            subtitle: String::new(),
            description: String::new(),
            x,
            y,
            layers: Vec::new(),
            size: (720, 300),
        }
    }

    /// The same picture with a subtitle.
    pub(crate) fn subtitle(mut self, subtitle: impl Into<String>) -> Self {
        self.subtitle = subtitle.into();
        self
    }

    /// The same picture with a description for readers who cannot see it.
    pub(crate) fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// The same picture in another size.
    pub(crate) fn size(mut self, width: u32, height: u32) -> Self {
        self.size = (width, height);
        self
    }

    /// The same picture with one more layer. An empty name keeps it out of the legend.
    pub(crate) fn layer(mut self, name: impl Into<String>, colour: Colour, mark: Mark) -> Self {
        self.layers.push(Layer { name: name.into(), colour, mark });
        self
    }

    /// Whether no layer has a point to draw: rules alone are no data.
    pub(crate) fn is_empty(&self) -> bool {
        self.layers.iter().all(|layer| match &layer.mark {
            Mark::At(..) | Mark::Level(..) => true,
            mark => !mark.ys().iter().any(|y| y.is_finite()),
        })
    }

    /// An `<svg>` element for a page that carries [`STYLE`].
    pub(crate) fn to_inline(&self) -> String {
        svg::draw(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Plot {
        let line: Vec<(f64, f64)> = (0..60).map(|i| (f64::from(i), 100.0 + f64::from(i % 7))).collect();
        let band = line.iter().map(|(x, y)| (*x, y - 10.0, y + 30.0)).collect();
        Plot::new("Time to first token", Axis::time("time since start (s)"), Axis::linear("ms"))
            .subtitle("p50 <and> p99")
            .description("flat at 100 ms")
            .layer("p50–p99", Colour::Blue, Mark::Band(band))
            .layer("p50", Colour::Blue, Mark::Line(line))
            .layer("", Colour::Grey, Mark::Level(120.0, "SLO 120 ms".into()))
    }

    #[test]
    fn a_picture_says_what_it_shows() {
        let svg = sample().to_inline();
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
        assert!(svg.contains("<title id="));
        assert!(svg.contains("flat at 100 ms</desc>"));
        assert!(svg.contains("p50 &lt;and&gt; p99"));
        assert!(STYLE.contains("prefers-color-scheme: dark") && !svg.contains("<style>"));
        assert!(svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn values_that_are_not_finite_never_reach_the_picture() {
        let line = vec![(0.0, 1.0), (1.0, f64::NAN), (2.0, f64::INFINITY), (f64::NAN, 3.0), (4.0, 2.0)];
        let band = vec![(0.0, f64::NEG_INFINITY, 1.0), (1.0, 0.0, 1.0), (2.0, 0.0, f64::NAN)];
        for axis in [Axis::linear("x"), Axis::log("x")] {
            let svg = Plot::new("holes", axis.clone(), axis)
                .layer("line", Colour::Blue, Mark::Line(line.clone()))
                .layer("area", Colour::Red, Mark::Area(line.clone()))
                .layer("band", Colour::Green, Mark::Band(band.clone()))
                .layer("bars", Colour::Green, Mark::Bars(band.clone()))
                .layer("", Colour::Grey, Mark::At(f64::NAN, "nowhere".into()))
                .to_inline();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }

    #[test]
    fn points_without_neighbours_are_dots_and_bars_of_a_band() {
        let hole = f64::NAN;
        let xs = [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 50.5, 60.0, 100.0];
        let ys = [1.0, hole, 2.0, hole, hole, 3.0, 4.0, hole, 5.0];
        let line: Vec<(f64, f64)> = xs.into_iter().zip(ys).collect();
        let band = line.iter().map(|(x, y)| (*x, *y, y + 1.0)).collect();
        let draw = |line: &[(f64, f64)]| {
            Plot::new("bursts", Axis::linear("x"), Axis::linear("y"))
                .layer("line", Colour::Blue, Mark::Line(line.to_vec()))
                .to_inline()
        };
        let path = |svg: &str, class: &str| {
            let start = svg.rsplit_once(&format!("<path class=\"{class} c-blue\" d=\""));
            start.and_then(|(_, rest)| rest.split('"').next()).unwrap_or_default().to_owned()
        };
        let svg = draw(&line);
        assert_eq!(path(&svg, "lone").matches("h0").count(), 5, "{svg}");
        assert_eq!(path(&svg, "line").matches('M').count(), 1, "the two close ones are joined too: {svg}");

        let whole: Vec<(f64, f64)> = line.into_iter().filter(|point| point.1.is_finite()).collect();
        let svg = draw(&whole);
        assert!(!svg.contains("class=\"lone") && path(&svg, "line").matches('L').count() == 4, "{svg}");

        let svg = Plot::new("bursts", Axis::linear("x"), Axis::linear("y"))
            .layer("", Colour::Blue, Mark::Band(band))
            .to_inline();
        let bars = path(&svg, "band");
        assert_eq!((bars.matches('V').count(), bars.matches('Z').count()), (3, 4), "{svg}");
    }

    #[test]
    fn an_empty_picture_says_so() {
        let plot = Plot::new("nothing", Axis::linear("x"), Axis::linear("y")).layer(
            "",
            Colour::Grey,
            Mark::Level(1.0, "limit".into()),
        );
        assert!(plot.is_empty());
        assert!(plot.to_inline().contains("no data"));
        assert!(!sample().is_empty());
    }

    #[test]
    fn the_size_does_not_grow_with_the_number_of_points() {
        let line: Vec<(f64, f64)> = (0..200_000).map(|i| (f64::from(i), f64::from(i % 1000))).collect();
        let svg = Plot::new("many", Axis::linear("x"), Axis::linear("y"))
            .layer("line", Colour::Blue, Mark::Line(line))
            .to_inline();
        assert!(svg.len() < 60_000, "{}", svg.len());
    }
}
