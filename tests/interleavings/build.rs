//! Tells the sources that they are here to be modelled: their own unit tests stay out.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(shuttle)");
    println!("cargo::rustc-cfg=shuttle");
}
