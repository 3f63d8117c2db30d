//! The engines as they are timed, with the system's allocator.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    corkboard_engines::serve(None)
}
