//! Guests of other versions than the broker's.

use super::*;

fn greeting(protocol: u32) -> FromGuest {
    FromGuest::Hello { protocol, release: "0.1.0".into(), channels: Vec::new() }
}

/// The packets that the guest was sent so far, once there are as many as expected.
async fn heard(guest: &OwnedFd, expected: usize) -> Vec<FromBroker> {
    rustix::io::ioctl_fionbio(guest, true).unwrap();
    let (mut buffer, mut packets) = (vec![0; 4096], Vec::new());
    until(|| {
        while let Ok(Received::Packet(bytes, _)) = seqpacket::receive(guest, &mut buffer) {
            packets.push(decode(&buffer[..bytes]).unwrap());
        }
        packets.len() >= expected
    })
    .await;
    packets
}

#[test]
fn a_guest_of_the_first_version_is_sent_nothing_that_it_does_not_know() {
    // 0 was never a version; such a guest is taken for one of the first.
    for protocol in [0, 1] {
        with_link(async |link, root, log| {
            link.set_idle_timeout(900);
            link.expect(own_pid());
            let guest = dial(root);
            say(&guest, &greeting(protocol));
            assert!(link.wait_up(Duration::from_secs(2)).await);
            assert!(log.borrow()[0].contains("protocol: 1"), "{log:?}");
            link.set_idle_timeout(60);
            assert_eq!(heard(&guest, 1).await, [FromBroker::Welcome { protocol: 1 }]);
            link.end("enough").unwrap();
            let ended = [FromBroker::Notice { text: "enough".into() }, FromBroker::Close { channel: None }];
            assert_eq!(heard(&guest, 2).await, ended);
            assert!(link.is_up());
        });
    }
}

#[test]
fn a_guest_of_this_version_or_a_later_one_is_sent_the_idle_timeout() {
    for protocol in [2, 7] {
        with_link(async |link, root, _| {
            link.set_idle_timeout(900);
            link.expect(own_pid());
            let guest = dial(root);
            say(&guest, &greeting(protocol));
            assert!(link.wait_up(Duration::from_secs(2)).await);
            let welcome = || FromBroker::Welcome { protocol: protocol.min(PROTOCOL) };
            assert_eq!(heard(&guest, 2).await, [welcome(), FromBroker::IdleTimeout { seconds: 900 }]);
            link.set_idle_timeout(900);
            link.set_idle_timeout(0);
            link.end("enough").unwrap();
            let sent = [FromBroker::IdleTimeout { seconds: 0 }, FromBroker::End { text: "enough".into() }];
            assert_eq!(heard(&guest, 2).await, sent);
            // The next connection begins anew, also with what is off: another broker may have switched it on.
            let again = dial(root);
            say(&again, &greeting(protocol));
            assert_eq!(heard(&again, 2).await, [welcome(), FromBroker::IdleTimeout { seconds: 0 }]);
        });
    }
}

#[test]
fn a_packet_of_a_later_version_is_passed_over_and_the_next_is_heard() {
    with_link(async |link, root, log| {
        link.expect(own_pid());
        let guest = dial(root);
        say(&guest, &greeting(9));
        assert!(link.wait_up(Duration::from_secs(2)).await);
        for later in [&[3][..], &[3, 0xff, 0xff], &[100, 1, 2, 3]] {
            seqpacket::send(&guest, later, &[]).unwrap();
        }
        say(&guest, &FromGuest::Idle { seconds: 5 });
        until(|| log.borrow().len() == 2).await;
        assert!(link.is_up());
        assert_eq!(log.borrow().last().unwrap(), "Idle { seconds: 5 }");
    });
}
