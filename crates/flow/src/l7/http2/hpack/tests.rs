use super::*;

type Fields = Vec<(Name, Option<String>)>;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("digits");
    digits.chunks(2).map(byte).collect()
}

fn fields(decoder: &mut Decoder, block: &str) -> Fields {
    let mut fields = Fields::new();
    let value = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    decoder.decode(&hex(block), |name, bytes| fields.push((name, bytes.map(value)))).expect("well-formed");
    fields.retain(|(name, _)| *name != Name::Other);
    fields
}

fn named(name: Name, value: &str) -> (Name, Option<String>) {
    (name, Some(value.to_owned()))
}

fn request(scheme: &str, path: &str) -> Fields {
    vec![
        named(Name::Method, "GET"),
        named(Name::Scheme, scheme),
        named(Name::Path, path),
        named(Name::Authority, "www.example.com"),
    ]
}

#[test]
fn requests_of_the_rfc() {
    let plain = [
        "828684410f7777772e6578616d706c652e636f6d",
        "828684be58086e6f2d6361636865",
        "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
    ];
    let coded = [
        "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        "828684be5886a8eb10649cbf",
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    ];
    for blocks in [plain, coded] {
        let mut decoder = Decoder::new();
        assert_eq!(fields(&mut decoder, blocks[0]), request("http", "/"));
        assert_eq!(fields(&mut decoder, blocks[1]), request("http", "/"));
        assert_eq!(fields(&mut decoder, blocks[2]), request("https", "/index.html"));
    }
}

#[test]
fn responses_of_the_rfc_with_a_table_that_is_full() {
    let plain = [
        "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f\
         7777772e6578616d706c652e636f6d",
        "4803333037c1c0bf",
        "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b42\
         5a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
    ];
    let coded = [
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
        "4883640effc1c0bf",
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f\
         3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
    ];
    for blocks in [plain, coded] {
        let mut decoder = Decoder::new();
        decoder.table.resize(256);
        let statuses = blocks.map(|block| fields(&mut decoder, block));
        let status = |code: &str| vec![named(Name::Status, code)];
        assert_eq!(statuses, [status("302"), status("307"), status("200")]);
        assert!(decoder.table.entry(2).is_some() && decoder.table.entry(3).is_none());
    }
}

#[test]
fn what_an_unseen_block_put_into_the_table_is_unknown() {
    let mut decoder = Decoder::new();
    fields(&mut decoder, "44022f61"); // :path: /a
    decoder.lose();
    assert_eq!(fields(&mut decoder, "82be"), [named(Name::Method, "GET"), (Name::Unknown, None)]);
}

#[test]
fn entries_made_after_an_unseen_block_are_known_from_the_newest_on() {
    let mut decoder = Decoder::new();
    fields(&mut decoder, "44022f6144022f62");
    decoder.lose();
    fields(&mut decoder, "44022f63"); // :path: /c
    fields(&mut decoder, "7e022f64"); // the name of the newest: /d
    let expected = [named(Name::Path, "/d"), named(Name::Path, "/c"), (Name::Unknown, None)];
    assert_eq!(fields(&mut decoder, "bebfc0"), expected);
    // A known value of an unknown name says nothing, but takes its place.
    assert_eq!(fields(&mut decoder, "7f01022f65"), [(Name::Unknown, None)]);
    assert_eq!(fields(&mut decoder, "bebf"), [(Name::Unknown, None), named(Name::Path, "/d")]);
}

#[test]
fn a_table_that_was_emptied_or_shrunk_forgets() {
    let mut decoder = Decoder::new();
    fields(&mut decoder, "44022f6144022f62");
    assert_eq!(fields(&mut decoder, "3f09bebf"), [named(Name::Path, "/b"), (Name::Unknown, None)]);
    assert_eq!(fields(&mut decoder, "20be"), [(Name::Unknown, None)]);
}

#[test]
fn malformed_blocks_lose_the_table() {
    for block in ["80", "41", "4103ab", "00", "3fffffffffff7f", "ffffffffffff7f", "4481ff"] {
        let mut decoder = Decoder::new();
        fields(&mut decoder, "44022f61");
        assert_eq!(decoder.decode(&hex(block), |_, _| ()), Err(Malformed), "{block}");
        assert_eq!(fields(&mut decoder, "be"), [(Name::Unknown, None)], "{block}");
    }
}

#[test]
fn values_that_mean_nothing_are_not_said() {
    let mut decoder = Decoder::new();
    let block = hex("60067365637265740007782d746f6b656e06736563726574"); // cookie: secret, x-token: secret
    decoder.decode(&block, |name, value| assert_eq!((name, value), (Name::Other, None))).expect("well-formed");
}
