// SPDX-License-Identifier: Apache-2.0
//! Values on their way to PostgreSQL and back, by the type of the column.

use std::error::Error;
use std::fmt;

use bytes::BytesMut;
use standin::access_control::{Row, Value};
use standin::fault::Fault;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

type Failure = Box<dyn Error + Sync + Send>;

/// A value to a place of a statement.
pub(super) struct Given<'a>(pub(super) Value<'a>);

impl fmt::Debug for Given<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
}

impl ToSql for Given<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match (self.0, ty) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Integer(n), &Type::INT8) => n.to_sql(ty, out),
            (Value::Integer(n), &Type::INT4) => i32::try_from(n)?.to_sql(ty, out),
            (Value::Integer(n), &Type::BOOL) => (n != 0).to_sql(ty, out),
            (Value::Text(text), &Type::TEXT | &Type::VARCHAR) => text.to_sql(ty, out),
            (Value::Blob(bytes), &Type::BYTEA) => bytes.to_sql(ty, out),
            (_, other) => Err(format!("a value for a place of type {other}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A value from a column.
struct Taken<'a>(Value<'a>);

impl<'a> FromSql<'a> for Taken<'a> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        Ok(Self(match *ty {
            Type::INT8 => Value::Integer(i64::from_sql(ty, raw)?),
            Type::INT4 => Value::Integer(i64::from(i32::from_sql(ty, raw)?)),
            Type::BOOL => Value::Integer(i64::from(bool::from_sql(ty, raw)?)),
            Type::TEXT | Type::VARCHAR => Value::Text(<&str>::from_sql(ty, raw)?),
            Type::BYTEA => Value::Blob(raw),
            ref other => return Err(format!("a column of type {other}").into()),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Failure> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// One row of an answer.
pub(super) struct Line<'a>(pub(super) &'a tokio_postgres::Row);

impl Row for Line<'_> {
    fn value(&self, column: usize) -> Result<Value<'_>, Fault> {
        let taken: Taken<'_> =
            self.0.try_get(column).map_err(|e| Fault::unavailable(format!("the store failed: {e}")))?;
        Ok(taken.0)
    }
}
