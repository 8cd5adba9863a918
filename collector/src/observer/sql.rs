//! SQL in, an Arrow IPC stream out.

use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use futures::{StreamExt as _, stream};
use tonic::Status;
use weir_proto::v1;

use super::{Answers, ObserverService, refused};

/// Pieces of the stream are about this large, well below a message's limit.
const PIECE: usize = 1 << 20;

impl ObserverService {
    pub(super) async fn sql(&self, sql: &str) -> Result<Answers<v1::QueryResponse>, Status> {
        self.refresh().await?;
        let (schema, batches) = self.lake.query(sql, self.limits).await.map_err(refused)?;
        let mut writer = StreamWriter::try_new(Vec::new(), &schema).map_err(|error| broken(&error))?;
        let head = pieces(&std::mem::take(writer.get_mut()));
        let body = batches.map(Some).chain(stream::once(async { None })).map(move |batch| {
            match batch {
                Some(Ok(batch)) => writer.write(&batch).map_err(|error| broken(&error))?,
                Some(Err(error)) => return Err(refused(error)),
                None => writer.finish().map_err(|error| broken(&error))?,
            }
            Ok(pieces(&std::mem::take(writer.get_mut())))
        });
        let all = stream::once(async { Ok(head) }).chain(body);
        Ok(Box::pin(all.flat_map(|result| match result {
            Ok(pieces) => stream::iter(pieces).map(Ok).left_stream(),
            Err(status) => stream::once(async { Err(status) }).right_stream(),
        })))
    }
}

fn pieces(bytes: &[u8]) -> Vec<v1::QueryResponse> {
    bytes.chunks(PIECE).map(|piece| v1::QueryResponse { arrow_ipc: piece.to_vec().into() }).collect()
}

fn broken(error: &ArrowError) -> Status {
    Status::internal(format!("cannot write the answer: {error}"))
}
