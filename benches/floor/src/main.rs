//! The floor as a program: `media-floor`.

fn main() -> std::io::Result<()> {
    media_floor::run(std::env::args().skip(1))
}
