//! What SRTP costs beside the cipher alone.

use media_benches::{
    PAYLOAD_BYTES, measure,
    srtp::{Bare, Direction, Srtp},
};
use media_engine::transport::srtp::Profile;

fn main() {
    let mut criterion = measure::criterion();
    for (cipher, profile) in [("gcm", Profile::AeadAes128Gcm), ("cm-sha1", Profile::Aes128CmSha1_80)] {
        for (verb, direction) in [("open", Direction::Open), ("seal", Direction::Seal)] {
            for bytes in PAYLOAD_BYTES {
                let name = format!("srtp/{cipher}/{verb}/{bytes}");
                let mut floor = Bare::new(direction, profile, bytes);
                let mut engine = Srtp::new(direction, profile, bytes);
                measure::bench(&mut criterion, &name, &mut floor, &mut engine);
            }
        }
    }
    criterion.final_summary();
}
