//! Linked workers and clusters, through a real client and server.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::services::{company, linkage, metadata, refused, send, shared, today};
use common::{Running, fields, start, start_with};
use elsewhere::api::wire;
use elsewhere::api::wire::profile_service_client::ProfileServiceClient;
use elsewhere::config::ConfigUnchecked;
use std::collections::BTreeSet;
use tonic::Code;

async fn clusters(service: &Running) -> Vec<wire::OperatorCluster> {
    let ask = wire::ListOperatorClustersRequest::default();
    linkage(service).list_operator_clusters(ask).await.expect("clusters").into_inner().clusters
}

#[tokio::test]
async fn farms_are_clusters_couples_are_not_and_the_order_of_events_is_free() {
    let (service, turned) = (start().await, start().await);
    for event in company() {
        send(&service, event).await;
    }
    for event in company().into_iter().rev() {
        send(&turned, event).await;
    }
    let found = clusters(&service).await;
    let members: Vec<usize> = found.iter().map(|cluster| cluster.worker_ids.len()).collect();
    assert_eq!(members, [5, 4], "largest evidence first");
    assert!(found.iter().all(|cluster| cluster.probability > 0.8 && cluster.links.is_empty()));
    let same = clusters(&turned).await;
    let shape = |cluster: &wire::OperatorCluster| (cluster.worker_ids.clone(), cluster.probability.to_bits());
    assert_eq!(found.iter().map(shape).collect::<Vec<_>>(), same.iter().map(shape).collect::<Vec<_>>());

    let ask = wire::GetOperatorClusterRequest { cluster_id: found[0].cluster_id.clone() };
    let got = linkage(&service).get_operator_cluster(ask).await.expect("a cluster").into_inner().cluster;
    let got = got.expect("a cluster");
    // Five workers, ten pairs, a gateway and an address each.
    assert_eq!((got.worker_ids.len(), got.links.len()), (5, 20));
    assert!(got.links.windows(2).all(|two| two[0].weight_log_odds >= two[1].weight_log_odds));
    let unknown = wire::GetOperatorClusterRequest { cluster_id: "oc-0".into() };
    let status = linkage(&service).get_operator_cluster(unknown).await.expect_err("unknown");
    assert_eq!(metadata(&status, "resource"), "cluster");

    let one = wire::ListOperatorClustersRequest { page_size: 1, ..Default::default() };
    let page = linkage(&service).list_operator_clusters(one.clone()).await.expect("a page").into_inner();
    let rest = wire::ListOperatorClustersRequest { page_token: page.next_page_token, ..one };
    let rest = linkage(&service).list_operator_clusters(rest).await.expect("a page").into_inner();
    assert_eq!((page.clusters, rest.next_page_token.as_str()), (found[..1].to_vec(), ""));
    assert_eq!(rest.clusters, found[1..]);
    let low = wire::ListOperatorClustersRequest { min_worker_count: 5, ..Default::default() };
    assert_eq!(linkage(&service).list_operator_clusters(low).await.expect("a page").into_inner().clusters.len(), 1);
    let bad =
        wire::ListOperatorClustersRequest { min_probability: Some(2.0), page_token: "x".into(), ..Default::default() };
    let status = linkage(&service).list_operator_clusters(bad).await.expect_err("a refusal");
    assert_eq!(fields(&status), BTreeSet::from(["min_probability".into(), "page_token".into()]));
}

#[tokio::test]
async fn links_are_told_strongest_first_and_go_with_the_worker() {
    let service = start().await;
    for event in company() {
        send(&service, event).await;
    }
    let ask = |worker: &str, least: f64| wire::ListLinkedWorkersRequest {
        worker_id: worker.into(),
        min_weight_log_odds: least,
        ..Default::default()
    };
    let links = |service: &Running, ask: wire::ListLinkedWorkersRequest| {
        let mut client = linkage(service);
        async move { client.list_linked_workers(ask).await.map(tonic::Response::into_inner) }
    };
    let found = links(&service, ask("farm-0", 0.0)).await.expect("links").links;
    assert_eq!(found.len(), 8, "four others, a gateway and an address each");
    assert_eq!(found[0].kind, wire::LinkKind::Site as i32);
    assert!((found[0].weight_log_odds - 2.2).abs() < 1e-9 && found[0].event_count == 2);
    assert!(found.iter().all(|link| link.worker_id == "farm-0" && link.first_seen_time == link.last_seen_time));
    assert!(links(&service, ask("couple-0", 0.0)).await.expect("links").links.is_empty(), "a couple is quiet");
    assert_eq!(links(&service, ask("couple-0", -9.0)).await.expect("links").links.len(), 2, "and not hidden");
    let small = wire::ListLinkedWorkersRequest { page_size: 3, ..ask("farm-0", 0.0) };
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = links(&service, wire::ListLinkedWorkersRequest { page_token: token, ..small.clone() }).await;
        let page = page.expect("a page");
        seen.extend(page.links);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, found);
    let status = links(&service, ask("nobody", 0.0)).await.expect_err("unknown");
    assert_eq!(refused(&status), (Code::NotFound, "NOT_FOUND".into()));
    let status = links(&service, ask("farm-0", f64::NAN)).await.expect_err("no number");
    assert_eq!(fields(&status), BTreeSet::from(["min_weight_log_odds".into()]));

    let mut profiles = ProfileServiceClient::new(service.channel.clone());
    let erased = profiles.delete_profile(wire::DeleteProfileRequest { worker_id: "farm-1".into() }).await;
    assert_eq!(erased.expect("an erasure").into_inner().link_count, 4);
    let left = links(&service, ask("farm-0", 0.0)).await.expect("links").links;
    assert!(left.len() == 6 && left.iter().all(|link| link.other_worker_id != "farm-1"));
}

#[tokio::test]
async fn a_cluster_keeps_its_name_while_most_members_stay_also_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let service = start_with(ConfigUnchecked::default(), Some(directory.path())).await;
    for event in company() {
        send(&service, event).await;
    }
    let before = clusters(&service).await;
    let mut profiles = ProfileServiceClient::new(service.channel.clone());
    profiles.delete_profile(wire::DeleteProfileRequest { worker_id: "farm-0".into() }).await.expect("an erasure");
    send(&service, shared("new", "farm-9", today(), 5, 1)).await;
    service.ended().await;
    let service = start_with(ConfigUnchecked::default(), Some(directory.path())).await;
    let after = clusters(&service).await;
    let names = |found: &[wire::OperatorCluster]| -> BTreeSet<String> {
        found.iter().map(|cluster| cluster.cluster_id.clone()).collect()
    };
    assert_eq!(names(&before), names(&after));
    let farm = after.iter().find(|cluster| cluster.cluster_id == before[0].cluster_id).expect("the farm");
    assert_eq!(farm.worker_ids, ["farm-1", "farm-2", "farm-3", "farm-4", "farm-9"]);
}
