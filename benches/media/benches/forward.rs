//! What a forwarded packet costs in user space beside its floor, one to many, and a whole consult of three.

use media_benches::{
    PAYLOAD_BYTES,
    crowd::{self, Crowd},
    forward::{BURSTS, Consult, FAN_OUTS, Forward},
    measure,
    traffic::Traffic,
};

fn main() {
    let mut criterion = measure::criterion();
    for fan_out in FAN_OUTS {
        if !measure::is_wanted(&format!("forward/1-to-{fan_out}/")) {
            continue;
        }
        let mut consult = Consult::new(fan_out);
        for bytes in PAYLOAD_BYTES {
            for burst in BURSTS {
                let name = format!("forward/1-to-{fan_out}/{bytes}/burst-{burst}");
                let mut floor = Forward::floor(fan_out, bytes, burst);
                let mut engine = Forward::new(&mut consult, bytes, burst);
                measure::bench(&mut criterion, &name, &mut floor, &mut engine);
            }
        }
    }
    if measure::is_wanted("traffic") {
        let (mut floor, mut engine) = (Traffic::floor(), Traffic::new());
        measure::bench(&mut criterion, "traffic", &mut floor, &mut engine);
        let [wakes, told] = engine.wakes_a_second();
        println!(
            "a consult of three wakes the engine by timer {wakes:.1} times a second, {told:.1} to send something"
        );
    }
    for consults in crowd::CONSULTS {
        let name = format!("crowd/{consults}");
        if measure::is_wanted(&name) {
            measure::bench(&mut criterion, &name, &mut Crowd::floor(consults), &mut Crowd::new(consults));
        }
    }
    criterion.final_summary();
}
