//! A whole shard over loopback beside its floor, and a storm of joins on a shard that others talk through.

use std::time::Duration;

use media_benches::{
    handshakes::PublicKeyWork,
    loopback::{Consults, Flow, PICTURES, SOUND, Shape, Storm, StormPlan, settle_clients},
    measure,
};

const CONSULTS: u32 = 30;
/// How many receive each packet, and consults enough for 30,000 forwarded packets of sound a second.
const FAN_OUTS: [(u32, u32); 3] = [(2, 100), (10, 20), (100, 2)];
/// As in the other benches; these come in bursts of four.
const PICTURE_BYTES: usize = 1_200;

const STORM: StormPlan = StormPlan {
    consults: 100,
    underway: 64,
    stay: 200,
    calm: Duration::from_secs(3),
    storm: Duration::from_secs(5),
};

fn main() -> std::io::Result<()> {
    let mut criterion = measure::criterion();
    if !settle_clients()? {
        println!("one core only: clients and server share it");
    }
    let consult = Shape { consults: CONSULTS, size: 3, publishers: 3, flows: vec![SOUND, PICTURES] };
    let mut shapes = vec![(format!("shard/consults-{CONSULTS}"), consult)];
    for (fan_out, consults) in FAN_OUTS {
        for flow in [SOUND, Flow { payload_bytes: PICTURE_BYTES, ..PICTURES }] {
            let name = format!("shard/1-to-{fan_out}/{}", flow.payload_bytes);
            shapes.push((name, Shape { consults, size: fan_out + 1, publishers: 3, flows: vec![flow] }));
        }
    }
    for (name, shape) in shapes.iter().filter(|(name, _)| measure::is_wanted(name)) {
        let (mut floor, mut shard) = (Consults::on_floor(shape)?, Consults::on_node(shape, false)?);
        measure::bench(&mut criterion, name, &mut floor, &mut shard);
    }
    if measure::is_wanted("storm") {
        storm()?;
    }
    criterion.final_summary();
    Ok(())
}

fn storm() -> std::io::Result<()> {
    let storm = Storm::run(&STORM)?;
    println!("{storm}");
    let work = PublicKeyWork::new();
    let mut floor: Vec<_> = (0..101).map(|_| work.run()).collect();
    floor.sort();
    let floor = floor[floor.len() / 2];
    match storm.cpu_of_a_join() {
        Some(join) => println!(
            "storm/join     floor {floor:.0?} (public-key work)   shard {join:.0?}   ratio {:.2}   {:.0} a second and core",
            join.as_secs_f64() / floor.as_secs_f64(),
            1.0 / join.as_secs_f64(),
        ),
        None => println!("storm/join     cannot be told: the shard forwarded less than before"),
    }
    Ok(())
}
