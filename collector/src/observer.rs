//! Answers people and programs: flows, requests, SQL, nodes, the collector's own state.

mod asked;
mod flows;
mod requests;
mod routes;
mod sql;
mod status;

use std::pin::Pin;
use std::sync::Arc;

use futures::Stream;
use tokio::sync::{mpsc, oneshot, watch};
use tonic::{Request, Response, Status};
use weir_cluster::Snapshot;
use weir_model::tables::{FLOWS, REQUESTS};
use weir_model::{LossStage, Timestamp};
use weir_proto::v1;
use weir_proto::v1::observer_server::Observer;
use weir_service::clock::Clock;
use weir_store::{Lake, QueryError, QueryLimits};
use weir_watch::{Knowledge, Place};

use crate::compiled::Compiled;
use crate::hub::{HubCounts, News, Subject};
use crate::nodes::Nodes;
use crate::settler::{self, Task};
use crate::writer::Order;
use asked::Asked;

/// The service behind `weir.v1.Observer`.
#[derive(Clone)]
pub(crate) struct ObserverService {
    /// The lake.
    pub lake: Arc<Lake>,
    /// The agents.
    pub nodes: Nodes,
    /// The settler: brings answers up to date, and starts tails.
    pub settler: settler::Sender,
    /// The journal's writer.
    pub writer: mpsc::Sender<Order>,
    /// What tails are there.
    pub tails: Arc<HubCounts>,
    /// What one query may use.
    pub limits: QueryLimits,
    /// What is known of the cluster.
    pub snapshots: watch::Receiver<Snapshot>,
    /// What is compiled of the cluster's objects.
    pub compiled: watch::Receiver<Compiled>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// When the collector started.
    pub started_at: Timestamp,
    /// The cluster's name.
    pub cluster: Option<Arc<str>>,
    /// Where the cluster's objects come from, and how well they are known.
    pub cluster_source: Option<(Place, Knowledge)>,
    /// Ends tails.
    pub stop: tokio_util::sync::CancellationToken,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Observer for ObserverService {
    type GetFlowsStream = Answers<v1::GetFlowsResponse>;
    type GetRequestsStream = Answers<v1::GetRequestsResponse>;
    type QueryStream = Answers<v1::QueryResponse>;

    async fn get_flows(&self, request: Request<v1::GetFlowsRequest>) -> Result<Response<Self::GetFlowsStream>, Status> {
        let asked = Asked::read(&asked::of_flows(request.into_inner()), FLOWS.name, FLOWS.columns)?;
        Ok(Response::new(self.flows(asked).await?))
    }

    async fn get_requests(
        &self,
        request: Request<v1::GetRequestsRequest>,
    ) -> Result<Response<Self::GetRequestsStream>, Status> {
        let asked = Asked::read(&request.into_inner(), REQUESTS.name, REQUESTS.columns)?;
        Ok(Response::new(self.requests(asked).await?))
    }

    async fn query(&self, request: Request<v1::QueryRequest>) -> Result<Response<Self::QueryStream>, Status> {
        Ok(Response::new(self.sql(&request.into_inner().sql).await?))
    }

    async fn get_routes(&self, _: Request<v1::GetRoutesRequest>) -> Result<Response<v1::GetRoutesResponse>, Status> {
        Ok(Response::new(self.routes()?))
    }

    async fn get_nodes(&self, _: Request<v1::GetNodesRequest>) -> Result<Response<v1::GetNodesResponse>, Status> {
        Ok(Response::new(v1::GetNodesResponse { nodes: self.all_nodes() }))
    }

    async fn server_status(
        &self,
        _: Request<v1::ServerStatusRequest>,
    ) -> Result<Response<v1::ServerStatusResponse>, Status> {
        Ok(Response::new(self.status().await?))
    }
}

impl ObserverService {
    fn now(&self) -> Timestamp {
        Timestamp(self.clock.now_ns())
    }

    /// Every node that an agent was on, and those that have pods and had none.
    fn all_nodes(&self) -> Vec<v1::NodeStatus> {
        let mut nodes = self.nodes.status(self.now());
        nodes.extend(self.nodes.absent(self.snapshots.borrow().nodes_with_pods()));
        nodes
    }

    async fn subscribe(&self, about: Subject) -> Result<mpsc::Receiver<News>, Status> {
        let (reply, told) = oneshot::channel();
        self.settler.send(Task::Subscribe(about, reply)).await.map_err(|_| stopping())?;
        told.await.map_err(|_| stopping())
    }

    /// Brings what queries see up to date with what has arrived.
    async fn refresh(&self) -> Result<(), Status> {
        let (done, told) = oneshot::channel();
        self.settler.send(Task::Refresh(done)).await.map_err(|_| stopping())?;
        told.await.map_err(|_| stopping())
    }
}

/// A reader of a tail was too slow for so many rows.
fn missed(rows: u64) -> v1::NodeLoss {
    let loss = v1::Loss { stage: LossStage::Tail.name().to_owned(), rows: Some(rows), ..v1::Loss::default() };
    v1::NodeLoss { node: None, loss: Some(loss) }
}

fn stopping() -> Status {
    Status::unavailable("the collector is stopping")
}

/// What a failed query is on the wire.
#[expect(clippy::needless_pass_by_value, reason = "the function of a map_err")]
fn refused(error: QueryError) -> Status {
    let message = error.to_string();
    match error {
        QueryError::Invalid(_) => Status::invalid_argument(message),
        QueryError::Refused(_) => Status::permission_denied(message),
        QueryError::Time(_) => Status::deadline_exceeded(message),
        QueryError::Memory { .. } | QueryError::Rows(_) => Status::resource_exhausted(message),
        QueryError::Failed(_) => Status::internal(message),
    }
}
