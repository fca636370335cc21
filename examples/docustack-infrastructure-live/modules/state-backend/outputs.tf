output "bucket" {
  description = "Bucket of the states."
  value       = aws_s3_bucket.state.id
}

output "bucket_arn" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.state.arn
}

output "lock_table" {
  description = "Table of the locks."
  value       = aws_dynamodb_table.locks.name
}
