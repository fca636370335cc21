output "trail_arn" {
  description = "The trail."
  value       = aws_cloudtrail.main.arn
}

output "bucket" {
  description = "Bucket of the records."
  value       = aws_s3_bucket.trail.id
}
